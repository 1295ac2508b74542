from django.urls import include, path

from tests.asgi import views
from tests.stories.urls import urlpatterns as stories

urlpatterns = [
    *stories,
    path("account/sessions/", include("session_limit.urls")),
    path("feed/", views.feed),
    path("feed/public/", views.public_feed),
    path("feed/late/", views.late_feed),
    path("long/", views.long_page),
    path("download/", views.download),
]
