"""One page about a ladder, for people who were not there: HTML that stands alone, Markdown, and JSON.

Everything shown was gathered by `imgcls.ladders.gathering`; here it is only worded, drawn and written.
"""
