"""Everything that a page shows, as plain data: answers, charts, tables, rows, words."""
