"""A client of the live socket for programs: it stays connected, keeps a view of each topic, and misses nothing. See docs/client.md."""

from realtime.client.changes import Change as Change
from realtime.client.changes import Changes as Changes
from realtime.client.connection import Connection as Connection
from realtime.client.connection import Ended as Ended
from realtime.client.connection import Hearer as Hearer
from realtime.client.live import Client as Client
from realtime.client.refusals import Unanswered as Unanswered
from realtime.client.view import Json as Json
from realtime.client.view import View as View
