"""Reviewing: the records that differ, one after the other, and keys in; what a person chose out. Nothing is printed.

`walk` is the machine: state and key in, state out. `subjects` makes what is walked through, `page` shows one of them,
`waivers` and `policy_text` make the waivers that are chosen, and `chosen` the acceptance.
"""
