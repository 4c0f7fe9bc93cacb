"""The custody journal: what was destroyed, protected, withdrawn or shortened, kept outside the database.

Promise: an act that is written here was written before it was answered, and stays readable whatever becomes of the
database; a changed, missing or inserted entry is found. Format: docs/formats/custody-journal-v1.md.
Words: docs/glossary.md, "custody journal".
"""
