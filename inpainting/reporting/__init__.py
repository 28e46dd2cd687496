"""The report: from folders of runs to tables, images and one page."""
