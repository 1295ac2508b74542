from django.urls import include, path
from django_otp.views import LoginView

from tests.libraries import views
from tests.stories.urls import urlpatterns as stories

urlpatterns = [
    *stories,
    path("accounts/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
    path("otp/login/", LoginView.as_view(), name="otp_login"),
    path("otp/members/", views.verified),
    path("messages/", views.told),
    path("rest/auth/", include("rest_framework.urls")),
    path("rest/me/", views.Me.as_view()),
    path("rest/jsonapi/", views.JSONAPI.as_view()),
    path("rest/staff/", views.Staff.as_view()),
    path("rest/public/", views.Public.as_view()),
    path("rest/basic/", views.Basic.as_view()),
    path("rest/sign-in/", views.SignIn.as_view()),
    path("rest/sign-in-reshaped/", views.ReshapedSignIn.as_view()),
    path("as/", include("loginas.urls")),
    path("hijack/", include("hijack.urls")),
]
