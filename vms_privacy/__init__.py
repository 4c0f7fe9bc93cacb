"""The ground, the two ledgers, the duties that cross rooms, the faces and the assembly of the service.

This file imports nothing: the package is both floor and roof, and the order is checked per module.
"""
