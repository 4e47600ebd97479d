"""Langflow flows run by a Langflow server.

`client` is the port; `server` says what is asked of the server; `answers` and `events` read what it says; `failures`
names what goes wrong; `http` and `connection` carry it.
"""
