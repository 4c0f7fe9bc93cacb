"""Orders about recorded time: a hold keeps footage from destruction, a restriction keeps it from being read as well.

Promise P6: nothing that an order in force covers is destroyed, whatever expires or is asked for; the database refuses
it, too. What has expired and is held opens for the named people of its case alone. A restricted stretch opens for
nobody, live included. An order ends by two people, and its end destroys nothing by itself (decision 0032).
"""
