"""The .anc file format: integers and bytes only. Needs numpy and the standard library, never torch.

The format itself is specified in docs/format.md; `container` is the part that most callers want.
"""
