"""The command line: parse, call, print, exit; a file for each command.

Plain command lines go the short way (`short`), all others through Typer (`app`, `options`), which
defines the options and words help, errors and completion; neither is imported by a command.

Hands out `main.main`, which the program runs. Never holds what Python users could want to call.
"""

# Whether this process does nothing but a command line, as `__main__` says.
is_program = False
