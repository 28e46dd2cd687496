"""The report: from folders of runs to tables, pictures and one page."""
