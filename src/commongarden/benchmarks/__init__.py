"""How quickly this machine trains, by this program and by ordinary scripts, in turn.

peers/ holds the scripts. They are files to be read and run by hand, not modules: nothing here imports them.
"""
