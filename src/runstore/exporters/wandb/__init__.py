"""The W&B exporter: a run in, a W&B run out, in a folder (offline) or at a server (online).

W&B's own client keeps a run as a log of transactions and sends it by replaying that log. Here the log is written by
hand (`transactions`, `log`), so that it holds what the plan says and nothing of the machine, has the same bytes
for the same run, and needs no client. To a server the same is sent by the requests
that the client would send (`graph`, `online`). docs/exporting-wandb.md says what becomes of what, and why.
"""

from runstore.exporters.wandb.backend import WandbExporter

exporter = WandbExporter()
