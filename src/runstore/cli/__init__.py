"""The command line: one command a file; `main` holds the table of commands, `boundary` the exit codes."""
