from django.urls import include, path

urlpatterns = [path("account/sessions/", include("session_limit.urls"))]
