"""One module a format, one row a module in `table.py`."""
