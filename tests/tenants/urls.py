from django.urls import path

from tests.asgi import views
from tests.stories.views import members
from tests.urls import urlpatterns as project

urlpatterns = [*project, path("feed/", views.feed), path("members/", members)]
