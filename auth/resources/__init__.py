"""What rights are about: a camera's id, its operator, name and group; never its address or its pictures.

Promise: two operators never share a row here, and a camera's id never moves to another operator. `streams/cameras`
writes a row in the transaction that registers the camera. Words: docs/glossary.md, "resource", "group path".
"""
