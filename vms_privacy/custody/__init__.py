"""Custody: copies of the database, putting one back, and telling it what has happened since.

Promise: a database that was put back opens, records and shows nothing before the custody journal was replayed over it
and somebody who answers for it has released it.
"""
