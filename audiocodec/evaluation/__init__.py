"""Codecs side by side on sets of recordings: ours and others', scored by guarded metrics, told in tables and a page."""
