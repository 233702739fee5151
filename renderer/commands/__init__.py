"""Subcommands of the command line, one a file."""
