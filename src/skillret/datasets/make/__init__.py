"""Making a benchmark: from a library of skills to labelled queries, in steps that can be resumed.

After section 3 of the SkillRet paper (arXiv:2605.05726). Each step reads the rows of earlier ones
and writes its own into `DIR/steps`; a language model is asked only where the configuration names
one, and otherwise templates take its place.
"""
