#!/usr/bin/env python3
"""Train or evaluate the pocket models, from data that is made here.

    scripts/train_pocket_models.py                          train both, one after the other
    scripts/train_pocket_models.py --only qwen --minutes 80
    scripts/train_pocket_models.py --evaluate               print the tables that docs/models.md records

A run that was stopped goes on where it was: checkpoints lie in ``var/pocket``; remove that folder to begin anew.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VIRTUAL_ENVIRONMENT = ROOT / ".venv"
MODELS = ("whisper", "qwen")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=MODELS, help="one of the two models (default: both)")
    parser.add_argument("--evaluate", action="store_true", help="test the models in --out instead of training them")
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "telephony_agent" / "pocket",
        help="folder of the models (default: %(default)s)",
    )
    parser.add_argument("--work", type=Path, default=ROOT / "var" / "pocket", help="folder of the checkpoints")
    parser.add_argument(
        "--minutes", type=float, default=80.0, help="training time of each model (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=1, help="compute threads (default: %(default)s)")
    return parser.parse_args()


def main() -> None:
    """Do what the command line asks."""
    python = VIRTUAL_ENVIRONMENT / "bin" / "python"
    if Path(sys.prefix) != VIRTUAL_ENVIRONMENT and python.exists():
        os.execv(python, [str(python), *sys.argv])
    arguments = _arguments()
    # Both must be set before torch or transformers are imported: the modules below do that.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    os.environ["HF_HUB_OFFLINE"] = "1"
    sys.path.insert(0, str(ROOT))
    for name in MODELS if arguments.only is None else (arguments.only,):
        maker = importlib.import_module(f"scripts.pocket_models.train_{name}")
        if arguments.evaluate:
            print(json.dumps({name: maker.evaluate(arguments.out / name)}, indent=2))
        else:
            maker.train(arguments.out / name, arguments.work / name, arguments.minutes, arguments.threads)


if __name__ == "__main__":
    main()
