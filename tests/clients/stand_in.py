"""Prints what `skillret hook` prints: for tests of what is between an agent and it."""

import json
import sys
from pathlib import Path

event = json.load(sys.stdin)
if "scanned PDF" in event.get("prompt", ""):
    file = next(Path.home().glob(".*/**/pdf-tables/SKILL.md"))
    context = f"Relevant to this prompt:\n- pdf-tables: extracts tables ({file})"
    output = {"hookEventName": event["hook_event_name"], "additionalContext": context}
    sys.stdout.write(json.dumps({"hookSpecificOutput": output}))
