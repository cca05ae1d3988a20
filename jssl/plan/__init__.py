"""What a run will need, known before it is paid for: its step compiled ahead of time, for devices that need not be there."""

from jssl.plan.compiled import DoesNotFit
from jssl.plan.examples import foresee
from jssl.plan.needs import Plan, plan
from jssl.plan.topology import Topology, find

__all__ = ["DoesNotFit", "Plan", "Topology", "find", "foresee", "plan"]
