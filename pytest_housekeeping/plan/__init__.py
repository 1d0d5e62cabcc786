"""The plan: which steps, in which order, from the files on disk.

- ``plan``: the plan of a promotion, of a look and of a baseline; ``rollback_plan``: of a rollback.
- ``layout``, ``steps``, ``check_steps``: the order of the steps, and the single ones.
- ``segments``, ``rollback_files``: where the batch is cut, and how far rollback files reach.
- ``modes``: what differs by mode, in one table.

Other rooms import from these.
"""
