"""One module a foreign format; the table of them is `runstore.importers.FORMATS`."""
