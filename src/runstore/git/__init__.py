"""Reading runs out of a git repository: refs and paths in, sources of bytes out; nothing is checked out or written."""
