from django.urls import include, path

from tests.stories.urls_plain import urlpatterns as project

urlpatterns = [*project, path("geräte/", include("session_limit.urls"))]
