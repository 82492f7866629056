"""How the core's tests run."""

from hypothesis import HealthCheck, settings

# A busy machine makes examples slow, which says nothing about the code.
settings.register_profile("core", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("core")
