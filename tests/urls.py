from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.urls import include, path

from tests import views

urlpatterns = [
    path("", views.home, name="home"),
    path("public/", views.public, name="public"),
    path("whoami/", views.whoami, name="whoami"),
    path("awhoami/", views.awhoami, name="awhoami"),
    path("write/", views.write, name="write"),
    path("login/", LoginView.as_view(), name="login"),
    path("alogin/", views.sign_in_async, name="alogin"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/", PasswordChangeView.as_view(success_url="/"), name="password"),
    path("admin/", admin.site.urls),
    path("account/sessions/", include("session_limit.urls")),
]
