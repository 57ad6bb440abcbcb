"""The Python side of rpytest: hosts, templates, workers and controllers around real pytest."""
