"""The GitHub Action: an event in; a judged change, its reports and one comment out. The gate itself is the command."""
