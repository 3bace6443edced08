"""An evaluator of PMML documents that needs the standard library alone.

What it does not know it refuses when it opens a document, so that no answer is silently wrong.
"""
