"""What tests share is asserted in their helpers too: pytest shows there what was compared."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("support")
