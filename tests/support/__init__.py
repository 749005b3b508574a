"""What several tests share: paths, tiny models, data sets and checkpoints, and running tools."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools'
