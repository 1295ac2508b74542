from django.urls import include, path

from benchmarks.push.project import views

urlpatterns = [
    path("sign-in/", views.sign_in),
    path("sessions/", include("session_limit.urls")),
]
