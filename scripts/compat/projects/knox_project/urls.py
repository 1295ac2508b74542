"""The URLs that django-rest-knox's tests request."""

from django.urls import include, path
from knox.auth import TokenAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Root(APIView):
    """A view for whoever has a token."""

    authentication_classes = (TokenAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        return Response("User is authenticated.")


urlpatterns = [
    path("api/", include("knox.urls")),
    path("api/", Root.as_view(), name="api-root"),
]
