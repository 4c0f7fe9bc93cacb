"""Who is asking, and what they may ask for. Promises P7 and P8; words in docs/glossary.md."""
