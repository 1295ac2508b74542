"""The project under the guard; or, beside it, a consumer for each page."""

import os

from django.core.asgi import get_asgi_application

from session_limit.asgi import SessionGuard

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.push.project.settings")

django_application = get_asgi_application()
application = SessionGuard(django_application)

if os.environ.get("BENCHMARKS_BUS") == "channels":
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.routing import ProtocolTypeRouter
    from channels.sessions import SessionMiddlewareStack

    class Page(AsyncWebsocketConsumer):
        """A page that waits to hear of the end of its session."""

        async def connect(self):
            id = await self.scope["session"].aget("_session_limit_id")
            self.group = f"session_{id}"
            await self.channel_layer.group_add(self.group, self.channel_name)
            await self.accept()
            await self.send("live")

        async def disconnect(self, code):
            await self.channel_layer.group_discard(self.group, self.channel_name)

        async def ended(self, event):
            await self.send("ended")

    application = ProtocolTypeRouter(
        {
            "http": django_application,
            "websocket": SessionMiddlewareStack(Page.as_asgi()),
        }
    )
