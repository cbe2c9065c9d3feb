"""One page about a ladder, for people who were not there: HTML that stands alone, Markdown, and JSON.

Everything shown was gathered by `imgcls.ladders.report_data`; here it is only worded, drawn and written.
"""
