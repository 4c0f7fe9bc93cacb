"""Acts that need two people: one proposes, another one decides, and both are named in the audit.

Promise: an act of `rules.Act` takes place only with an `Approved`, which only the judgement in `rules` makes, and never
for one person alone; the database refuses that, too. Promises P6 and P9.
"""
