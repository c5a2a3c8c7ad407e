"""HTTP: parse, authorise, call one flow, shape the answer. No decisions and no SQL here."""
