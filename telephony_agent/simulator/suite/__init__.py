"""The turn-taking suite: the scenario families of a call's feel, played through the real server and scored by ear.

``scenarios`` draws the calls, ``play`` places them, ``Verdict`` holds their figures against the goals.
"""

from __future__ import annotations

from telephony_agent.simulator.suite.goals import GOALS, Goal
from telephony_agent.simulator.suite.report_html import render
from telephony_agent.simulator.suite.run import Played, Target, play
from telephony_agent.simulator.suite.scenarios import ENDPOINTING, Family, Scenario, scenarios
from telephony_agent.simulator.suite.scores import observe
from telephony_agent.simulator.suite.speculation import Speculation
from telephony_agent.simulator.suite.tally import Measure, Observation, Tally, tally
from telephony_agent.simulator.suite.verdict import Verdict

__all__ = [
    "ENDPOINTING",
    "GOALS",
    "Family",
    "Goal",
    "Measure",
    "Observation",
    "Played",
    "Scenario",
    "Speculation",
    "Tally",
    "Target",
    "Verdict",
    "observe",
    "play",
    "render",
    "scenarios",
    "tally",
]
