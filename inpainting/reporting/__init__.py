"""Reports: folders of runs become tables, figures and one page."""
