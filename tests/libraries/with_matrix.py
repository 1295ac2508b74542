"""Test each way to sign in with each policy at the limit."""

from __future__ import annotations

import pytest

from tests.libraries import integrations
from tests.libraries.cells import Cells


class TestMatrix(Cells):
    @pytest.fixture(
        params=[
            integrations.DjangoLoginView,
            integrations.DjangoAdmin,
            integrations.AllauthPassword,
            integrations.AllauthTwoFactors,
            integrations.AllauthHeadless,
            integrations.AllauthHeadlessTwoFactors,
            integrations.DjangoOTP,
            integrations.RestFramework,
            integrations.BrowsableRestFramework,
        ]
    )
    def integration(self, request):
        return request.param()
