"""The command line: parse, call, print, exit; a file for each command.

Hands out `main.main`, which the program runs. Never holds what Python users could want to call.
"""
