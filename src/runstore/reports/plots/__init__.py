"""Plots: the view of a comparison in, inline SVG out. `page_plots` says which there are, one module draws each kind.

Every plot is made of classes only (plots.css): no style attribute, no script, no id, nothing that is fetched. What it
shows is said in words, too, in its `title` and `desc`.
"""
