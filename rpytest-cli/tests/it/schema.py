"""Holds lines of JSON against the schema: schema.py SCHEMA LINES...

The schema lets readers pass over fields that it does not know. Here there must be none.
"""

import json
import sys
from pathlib import Path

import jsonschema


def strict(schema):
    if isinstance(schema, dict):
        schema = {key: strict(value) for key, value in schema.items()}
        if "properties" in schema and "required" in schema and "allOf" not in schema:
            schema.setdefault("additionalProperties", False)
        return schema
    return [strict(entry) for entry in schema] if isinstance(schema, list) else schema


schema = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
known = {name for name in schema["$defs"]}
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(strict(schema))
seen = set()
for path in sys.argv[2:]:
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        assert event["event"] in known, line
        seen.add(event["event"])
        errors = [error.message for error in validator.iter_errors(event)]
        assert not errors, f"{line}: {errors}"
print(*sorted(seen))
