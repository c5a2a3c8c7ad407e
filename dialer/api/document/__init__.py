"""What the OpenAPI document says beyond what the routes' types tell: names, examples, errors, headers and links.

Everything is derived from paths and types by rules, so that a new route is described without a word here; what a rule would name
badly has an entry of its own. The document is made without settings and without stores.
"""
