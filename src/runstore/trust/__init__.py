"""Trust: what a change does to the baseline and the policy that judge it; checks out.

Two trees of runs, the trusted one and the one that the change would put in its place, and two policies come in. What
differs is a claim. A person has to approve claims: until then they are REVIEW. Approved claims are held against two
questions: did the current run produce exactly what is claimed, and are the claims within what the trusted policy
allows? Nothing here knows of git, or of the folder in which anything stands.
"""
